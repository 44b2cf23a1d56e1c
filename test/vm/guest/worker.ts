/** A worker of the vsock checks: listens, tells the main thread, and does its task. */
import { parentPort, workerData } from "node:worker_threads";
import { listenVsock, loadVsockAddon, vsockDialer } from "@cmcp/wire";

const LOCAL_CID = 1;
const addon = loadVsockAddon(process.env["CMCP_VSOCK_ADDON"] ?? "");

async function main(): Promise<void> {
  if (workerData === "echo") {
    listenVsock(addon, 2000, (stream) => stream.pipe(stream), { from: LOCAL_CID });
  } else {
    // Both ends of one connection, a listener, and whoever else connects: all still open when the worker ends.
    listenVsock(addon, 2001, (stream) => stream.resume(), { from: LOCAL_CID });
    (await vsockDialer(addon, LOCAL_CID, 2001).dial(new AbortController().signal)).write(Buffer.alloc(1_000_000));
  }
  parentPort?.postMessage("ready", []);
  if (workerData === "leave") setTimeout(() => process.exit(0), 50);
}

void main();
