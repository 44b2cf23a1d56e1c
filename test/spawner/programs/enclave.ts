/** Stands in for the enclave: gives a spawner one server, starts it, and prints what it says first. */
import process from "node:process";
import { examine } from "@cmcp/boundary";
import { DEFAULT_BOUNDS, Spawner } from "@cmcp/spawner";

const [socket = "", tree = ""] = process.argv.slice(2);
const spawner = await Spawner.open(socket, [
  { tree, digest: null, program: "node", args: ["main.mjs"], environment: {}, bounds: DEFAULT_BOUNDS },
]);
const channel = await spawner.start(0);
channel.onMessage(
  (message) => void process.stdout.write(`${spawner.confinement} ${Buffer.from(examine(message)).toString()}\n`),
);
