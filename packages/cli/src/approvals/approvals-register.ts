import type { Approver } from "@cmcp/approval";
import { CmcpError } from "@cmcp/boundary";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { stopSignal } from "../start/stop-signal.ts";
import { DEFAULT_LISTEN, portOf } from "./page/listen-option.ts";
import { servePage } from "./page/local-page.ts";
import { pageFiles } from "./page/page-files.ts";
import { configurationLines, registering, type Registering } from "./page/registering.ts";

const OPTIONS = {
  approver: { type: "string" },
  listen: { type: "string", default: DEFAULT_LISTEN },
  json: { type: "boolean", default: false },
} as const;
/** Names of approvers, as the launch document takes them. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** `cmcp approvals register` */
export const approvalsRegister: Command = {
  help: `Usage: cmcp approvals register --approver NAME [--listen 127.0.0.1:PORT] [--json]

Makes an approver's passkey in a browser of this machine, and has it sign a random text. The signature has to verify.
Then prints the lines of cmcp-config.yaml that name the passkey. They have its public key, and are measured. The page's
address is on standard error. Ends with the first passkey that is asked to sign.

  --approver NAME          the approver's name in enclave.approvers
  --listen 127.0.0.1:PORT  the page's address; ${DEFAULT_LISTEN} by default. cmcp approvals serve needs the same port
  --json                   one line: ok, approver

Exit codes: 0 a passkey was made and signed, 10 it did not sign, or stopped before, 64 usage.
Example:    cmcp approvals register --approver alice
`,
  async run(args, { out, err }) {
    const { values } = readArguments(args, OPTIONS);
    const approver = required(values.approver, "--approver");
    if (!NAME.test(approver))
      throw new CmcpError(
        "USAGE",
        "--approver is 1 to 64 of a-z, 0-9, '.', '_', '-' and starts with a letter or digit",
      );
    const port = portOf(values.listen);
    const waiting = Promise.withResolvers<Registering>();
    const page = await servePage(port, {
      files: await pageFiles(),
      api: ({ origin }) => {
        const made = registering(approver, origin);
        waiting.resolve(made);
        return made.api;
      },
    });
    const stopped = stopSignal(out);
    err.write(`${page.url}\n`);
    const registered = (await waiting.promise).registered;
    const stop = new Promise<null>((resolve) => stopped.addEventListener("abort", () => resolve(null), { once: true }));
    let made: Approver | null;
    try {
      made = await Promise.race([registered, stop]);
    } finally {
      // The page says what became of the passkey.
      if (!stopped.aborted) await page.idle();
      await page.close();
    }
    if (made === null) {
      err.write("stopped before a passkey had signed\n");
      return EXIT.rejected;
    }
    out.write(values.json ? `${JSON.stringify({ ok: true, approver: made })}\n` : configurationLines(made));
    return EXIT.ok;
  },
};
