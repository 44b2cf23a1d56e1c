import process from "node:process";

/** Every part of Node that the enclave uses (`test/architecture/enclave-builtins.test.ts`). */
const PARTS = [
  "assert",
  "async_hooks",
  "buffer",
  "crypto",
  "diagnostics_channel",
  "events",
  "fs",
  "fs/promises",
  "http",
  "net",
  "os",
  "path",
  "perf_hooks",
  "querystring",
  "stream",
  "stream/web",
  "timers/promises",
  "tls",
  "url",
  "util",
  "util/types",
  "zlib",
];

// All are loaded in one go, beside the start of the first compile worker: that one sets a flag for the engine as soon as it
// runs, and from then on Node compiles what is asked for anew.
for (const part of PARTS) process.getBuiltinModule(`node:${part}`);
