// Runs the tests of a program compiled for WASI, with node: each in a process of its own, since a failing
// test ends its instance. A test that fails because WASI has neither threads nor processes counts as ignored.
//
//   node --no-warnings ci/wasi.mjs PROGRAM.wasm [ARGUMENTS OF THE TESTS]
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';

const ONE = '--one-process';
const [file, ...args] = process.argv.slice(2);
const missing = /kind: Unsupported|not supported on this platform/;

// Runs the program in this process.
if (args[0] === ONE) {
    const wasi = new WASI({ version: 'preview1', args: [file, ...args.slice(1)], returnOnExit: true });
    const module = new WebAssembly.Module(readFileSync(file));
    process.exit(wasi.start(new WebAssembly.Instance(module, wasi.getImportObject())));
}

// Runs the program in another process; returns whether it succeeded, and what it printed. Node 20 itself
// sometimes crashes when it collects garbage meanwhile: then the program runs again.
function run(...args) {
    const script = fileURLToPath(import.meta.url);
    let ended;
    for (let tries = 0; tries < 5; tries += 1) {
        ended = spawnSync(process.execPath, ['--no-warnings', script, file, ONE, ...args], { encoding: 'utf8' });
        if (ended.signal === null) break;
    }
    return { passed: ended.status === 0, text: `${ended.stdout}${ended.stderr}${ended.signal ?? ''}` };
}

const names = run(...args, '--list', '--format', 'terse').text.matchAll(/^(.*): test$/gm);
const counts = { ok: 0, FAILED: 0, ignored: 0 };
for (const [, name] of names) {
    const { passed, text } = run('--exact', name, '--nocapture');
    const verdict = !passed ? (missing.test(text) ? 'ignored' : 'FAILED') : / 1 passed/.test(text) ? 'ok' : 'ignored';
    console.log(`test ${name} ... ${verdict}`);
    if (verdict === 'FAILED') console.log(text);
    counts[verdict] += 1;
}
const verdict = counts.FAILED === 0 && counts.ok > 0 ? 'ok' : 'FAILED';
console.log(
    `test result: ${verdict}. ${counts.ok} passed; ${counts.FAILED} failed; ${counts.ignored} ignored; ` +
        '0 measured; 0 filtered out',
);
process.exit(verdict === 'ok' ? 0 : 1);
