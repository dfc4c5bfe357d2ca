// Runs the tests of a program compiled for WASI, with node: each in an instance of its own, since one that fails takes
// its instance with it. What fails since WASI has neither threads nor processes is counted as ignored.
//
//   node --no-warnings ci/wasi.mjs PROGRAM.wasm [ARGUMENTS OF THE TESTS]
import { readFileSync, openSync, closeSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WASI } from 'node:wasi';

const [file, ...args] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(file));
const folder = mkdtempSync(join(tmpdir(), 'wasi-'));
const output = join(folder, 'output');
const missing = /kind: Unsupported|not supported on this platform/;

// Runs the program; returns whether it ended well, and what it printed.
function run(...args) {
    const to = openSync(output, 'w');
    const wasi = new WASI({ version: 'preview1', args: [file, ...args], stdout: to, stderr: to, returnOnExit: true });
    let status;
    try {
        status = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
    } catch (error) {
        status = error;
    }
    closeSync(to);
    const text = readFileSync(output, 'utf8');
    return { passed: status === 0, text: status instanceof Error ? `${text}${status.stack}\n` : text };
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
rmSync(folder, { recursive: true });
const verdict = counts.FAILED === 0 && counts.ok > 0 ? 'ok' : 'FAILED';
console.log(
    `test result: ${verdict}. ${counts.ok} passed; ${counts.FAILED} failed; ${counts.ignored} ignored; ` +
        '0 measured; 0 filtered out',
);
process.exit(verdict === 'ok' ? 0 : 1);
