import { CmcpError } from "@cmcp/boundary";
import {
  digestInput,
  LAUNCH_REGISTER,
  launchRegister,
  predictPcrs,
  type BootVariants,
  type FileDigest,
  type Prediction,
} from "@cmcp/measure";
import { readArguments } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { BOOT_HELP, BOOT_OPTIONS, readBootFiles } from "./boot-files.ts";
import { readSize } from "./numbers.ts";
import { predictionJson, printNotPredicted, printRegisters } from "./print-prediction.ts";

const BANKS = ["sha256", "sha384"] as const;
/** The largest launch document, in bytes: more than any gateway takes. */
const MAX_LAUNCH_DOCUMENT = 64 * 1024 * 1024;

function predict(
  bank: (typeof BANKS)[number],
  boot: BootVariants | undefined,
  launch: FileDigest | undefined,
): Prediction {
  const { registers, notPredicted } =
    boot === undefined ? { registers: [], notPredicted: [] } : predictPcrs(boot, bank);
  if (launch === undefined) return { registers, notPredicted };
  const value = launchRegister(bank, launch.digest.sha256);
  return {
    registers: [...registers, { register: `pcr${LAUNCH_REGISTER}`, from: "image", values: [{ value, when: "" }] }],
    notPredicted,
  };
}

/** `cmcp measure tpm` */
export const measureTpm: Command = {
  help: `Usage: cmcp measure tpm (--kernel FILE [--initrd FILE] | --uki FILE) [--append TEXT] [--memory SIZE]
                        [--launch-document FILE] [--json]

Computes what a virtual TPM measures of an image from the files alone: PCR 4 (programs), 9 (what the kernel's
EFI stub got), 11 (sections of a unified kernel image) and 12 (a command line given at start), in the SHA-256
and the SHA-384 bank. A PCR has several values where the host chooses among ways to start the same image. All
assumes OVMF without Secure Boot, and no add-ons beside a unified kernel image.

${BOOT_HELP}
  --launch-document FILE  also PCR ${LAUNCH_REGISTER}, into which the enclave extends this document's digest

Exit codes: 0 computed, 10 a file is not valid or its measurement does not follow from it, 64 usage.
Example:    cmcp measure tpm --kernel vmlinuz --initrd initrd.img --append "quiet panic=-1"
`,
  async run(args, terminal) {
    const { values } = readArguments(args, {
      ...BOOT_OPTIONS,
      "launch-document": { type: "string" },
      json: { type: "boolean", default: false },
    });
    const boot = await readBootFiles(
      values,
      values.memory === undefined ? undefined : readSize(values.memory, "--memory"),
    );
    const document = values["launch-document"];
    if (boot === undefined && document === undefined)
      throw new CmcpError("USAGE", "--kernel, --uki or --launch-document is required");
    const launch =
      document === undefined ? undefined : await digestInput(document, "launch document", MAX_LAUNCH_DOCUMENT);
    const predictions = BANKS.map((bank) => ({ bank, prediction: predict(bank, boot, launch) }));
    if (values.json) {
      const banks = Object.fromEntries(
        predictions.map(({ bank, prediction }) => [bank, predictionJson(prediction).registers]),
      );
      const notPredicted = predictions.map(({ prediction }) => predictionJson(prediction).not_predicted)[0];
      terminal.out.write(`${JSON.stringify({ ok: true, platform: "tpm", banks, not_predicted: notPredicted })}\n`);
      return EXIT.ok;
    }
    for (const { bank, prediction } of predictions) printRegisters(prediction, `${bank} `, terminal);
    for (const { prediction } of predictions.slice(0, 1)) printNotPredicted(prediction, terminal);
    return EXIT.ok;
  },
};
