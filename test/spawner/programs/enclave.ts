/** Stands in for the enclave: gives a spawner one server, starts it, and prints what it says first. */
import process from "node:process";
import { examine } from "@cmcp/boundary";
import { DEFAULT_BOUNDS, Spawner } from "@cmcp/spawner";
import { treeArchive } from "@cmcp/spawner/tree";

const [socket = "", tree = ""] = process.argv.slice(2);
const server = { tree, digest: null, program: "node", args: ["main.mjs"], environment: {}, bounds: DEFAULT_BOUNDS };
const spawner = await Spawner.open(socket, [server], treeArchive);
const channel = await spawner.start(0);
channel.onMessage(
  (message) => void process.stdout.write(`${spawner.confinement} ${Buffer.from(examine(message)).toString()}\n`),
);
