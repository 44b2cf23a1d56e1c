export { compileSpawner } from "./compile.ts";
export { interpreterFiles } from "./interpreter.ts";
export type { RunningSpawner } from "./running.ts";
export { startSpawner, type SpawnerOptions } from "./start.ts";
