// Loads the world and plays it: in a page (index.html) and under node (test.mjs).

// The clock of the heap is the page's.
export async function load(bytes) {
  const imports = { page: { now: () => performance.now() } };
  const { instance } = await WebAssembly.instantiate(bytes, imports);
  return instance.exports;
}

export function numbers(world) {
  return {
    objects: world.objects(),
    collections: world.collections(),
    freed: world.freed(),
    lastPauseMs: world.last_pause_ms(),
    longestPauseMs: world.longest_pause_ms(),
    p99PauseMs: world.p99_pause_ms(),
    memoryMiB: world.memory.buffer.byteLength / 2 ** 20,
  };
}

// The verdict on a world that was played: its numbers, and what is wrong with it, if anything.
export function verdict(world, frames) {
  const played = numbers(world);
  const complaints = [];
  if (played.collections < 2) complaints.push("fewer than two collections");
  if (!(played.p99PauseMs > 0)) complaints.push("the heap measured no time");
  const wrong = world.wrong();
  if (wrong > 0) complaints.push(`${wrong} objects lost or left over`);
  return { frames, ...played, complaints };
}
