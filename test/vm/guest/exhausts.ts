/** Runs inside the guest in place of the enclave: takes all the machine's memory once somebody dials. */
import process from "node:process";
import { HOST_CID, listenVsock, loadVsockAddon } from "@cmcp/wire";
import { ENCLAVE_PORT } from "../../../host-proxy/src/launcher/vsock/ports.ts";

const PIECE = 8 * 1024 * 1024;
const taken: Buffer[] = [];

listenVsock(
  loadVsockAddon(process.env["CMCP_VSOCK_ADDON"] ?? ""),
  ENCLAVE_PORT,
  (stream) => {
    stream.once("data", () => {
      for (;;) taken.push(Buffer.alloc(PIECE, taken.length + 1));
    });
  },
  { from: HOST_CID },
);
