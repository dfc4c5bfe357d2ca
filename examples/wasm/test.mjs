// Plays the world and checks it.
//
//   node test.mjs WASM             in node
//   node test.mjs WASM CHROMIUM    in a page, by a headless browser
//   node test.mjs WASM --serve     to look at it: http://localhost:8000

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { load, verdict } from "./game.js";

const FRAMES = 300;
const [wasm, browser] = process.argv.slice(2);
const files = {
  "/": ["index.html", "text/html"],
  "/game.js": ["game.js", "text/javascript"],
  "/world.wasm": [wasm, "application/wasm"],
};

function serve(port, onResult) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    if (request.method === "POST") {
      let body = "";
      for await (const part of request) body += part;
      response.end();
      onResult(JSON.parse(body));
    } else if (path in files) {
      const [name, type] = files[path];
      response.setHeader("content-type", type);
      response.end(await readFile(name === wasm ? name : new URL(name, import.meta.url)));
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  return new Promise((resolve) => server.listen(port, "localhost", () => resolve(server)));
}

async function inNode() {
  const world = await load(await readFile(wasm));
  world.start(100_000, 1);
  for (let frame = 0; frame < FRAMES; frame++) world.frame();
  return verdict(world, FRAMES);
}

async function inBrowser() {
  const profile = await mkdtemp(join(tmpdir(), "slotgc-"));
  let server, running, timer;
  try {
    return await new Promise(async (resolve, reject) => {
      server = await serve(0, resolve);
      const page = `http://localhost:${server.address().port}/?frames=${FRAMES}`;
      const options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
      running = spawn(browser, [...options, `--user-data-dir=${profile}`, page], { stdio: ["ignore", 2, 2] });
      running.on("error", reject);
      running.on("exit", (code) => reject(new Error(`the browser ended with ${code} before the page reported`)));
      timer = setTimeout(() => reject(new Error("the page reported nothing for two minutes")), 120_000);
    });
  } finally {
    clearTimeout(timer);
    server?.close();
    server?.closeAllConnections();
    if (running?.exitCode === null && running.kill()) await new Promise((ended) => running.on("exit", ended));
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

if (browser === "--serve") {
  await serve(8000, () => {});
  console.log("http://localhost:8000");
} else {
  const result = browser ? await inBrowser() : await inNode();
  console.log(browser ? "in a browser:" : "in node:", JSON.stringify(result));
  if (result.complaints.length > 0) process.exit(1);
}
