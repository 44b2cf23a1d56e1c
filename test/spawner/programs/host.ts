/** Stands in for the host process: starts a spawner and waits to be killed. */
import process from "node:process";
import { startSpawner } from "@cmcp/spawner/host";

const [program = "", socket = "", stage = ""] = process.argv.slice(2);
const { confinement } = await startSpawner({ program, socket, stage, runtime: [], developmentMode: false });
process.stdout.write(`${confinement}\n`);
setInterval(() => undefined, 60_000);
