export { compileSpawner } from "./compile.ts";
export { interpreterFiles } from "./interpreter.ts";
export { startSpawner, type RunningSpawner, type SpawnerOptions } from "./start.ts";
