/** The enclave as it is shipped, and beside it a port that tells the guest's time and memory. Runs inside the guest in its place. */
import "../../../packages/enclave/src/main.ts";
import { readFileSync } from "node:fs";
import process from "node:process";
import { HOST_CID, listenVsock, loadVsockAddon } from "@cmcp/wire";
import { VITALS_PORT, type Vitals } from "../vitals.ts";

const text = (path: string): string => readFileSync(path, "utf8");

function vitals(): Vitals {
  const kibibytes = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text("/proc/meminfo"))?.[1]);
  return {
    uptimeSeconds: Number(text("/proc/uptime").split(" ")[0]),
    usedBytes: (kibibytes("MemTotal") - kibibytes("MemAvailable")) * 1024,
    residentBytes: process.memoryUsage().rss,
  };
}

listenVsock(
  loadVsockAddon(process.env["CMCP_VSOCK_ADDON"] ?? ""),
  VITALS_PORT,
  (stream) => {
    stream.write(`${JSON.stringify(vitals())}\n`);
    stream.resume();
  },
  { from: HOST_CID },
);
