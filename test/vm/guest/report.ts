import { listenVsock, type VsockAddon } from "@cmcp/wire";
import { ENCLAVE_PORT } from "../../../host-proxy/src/launcher/vsock/ports.ts";

/** Hands a value, once there is one, to whoever dials the enclave's port: JSON and a newline. */
export function report(addon: VsockAddon, value: Promise<unknown>, from: number): void {
  listenVsock(
    addon,
    ENCLAVE_PORT,
    (stream) => {
      // The daemon does not pass a half-close on, so the end is a line.
      void value.then((known) => stream.write(`${JSON.stringify(known)}\n`));
      stream.resume();
    },
    { from },
  );
}
