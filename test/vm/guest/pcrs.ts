/** Runs inside the guest in place of the enclave: reads the TPM's registers with raw commands. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { HOST_CID, loadVsockAddon } from "@cmcp/wire";
import { report } from "./report.ts";

const SHA256 = 0x0b;

/** One PCR of the SHA-256 bank, hex (TPM 2.0 part 3, section 22.4, TPM2_PCR_Read). */
function readPcr(device: number, pcr: number): string {
  const select = Buffer.alloc(3);
  select[pcr >> 3] = 1 << (pcr & 7);
  const message = Buffer.concat([
    Buffer.from("8001000000140000017e00000001", "hex"),
    Buffer.from([0, SHA256, 3]),
    select,
  ]);
  writeSync(device, message);
  const answer = Buffer.alloc(4096);
  const size = readSync(device, answer);
  if (answer.readUInt32BE(6) !== 0) throw new Error(`PCR ${pcr}: the TPM answers ${answer.readUInt32BE(6)}`);
  return answer.toString("hex", size - 32, size);
}

function registers(): Record<string, string> {
  const device = openSync("/dev/tpmrm0", "r+");
  try {
    return Object.fromEntries([4, 9, 11, 12].map((pcr) => [`pcr${pcr}`, readPcr(device, pcr)]));
  } finally {
    closeSync(device);
  }
}

report(
  loadVsockAddon(process.env["CMCP_VSOCK_ADDON"] ?? ""),
  Promise.resolve()
    .then(registers)
    .catch((error: unknown) => String(error)),
  HOST_CID,
);
