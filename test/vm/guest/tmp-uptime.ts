import "./enclave.ts";
import { readFileSync } from "node:fs";
import { HOST_CID, listenVsock, loadVsockAddon } from "@cmcp/wire";
const addon = loadVsockAddon(process.env["CMCP_VSOCK_ADDON"] ?? "");
setImmediate(() => { const up = readFileSync("/proc/uptime", "utf8").split(" ")[0]; const mem = Object.fromEntries(readFileSync("/proc/meminfo", "utf8").split("\n").map((l) => [l.split(":")[0], Number(/\d+/.exec(l)?.[0])])); const rss = process.memoryUsage().rss; listenVsock(addon, 5001, (s) => { s.write(JSON.stringify({ up, usedMB: (mem.MemTotal - mem.MemAvailable) / 1024, rssMB: rss / 1048576 }) + "\n"); s.resume(); }, { from: HOST_CID }); });
