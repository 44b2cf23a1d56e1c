import { CmcpError } from "@cmcp/boundary";
import { MAX_FIRMWARE, predictTdx, readInput, type TdxMachine } from "@cmcp/measure";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { BOOT_HELP, BOOT_OPTIONS, readBootFiles } from "./boot-files.ts";
import { readSha384, readSize } from "./numbers.ts";
import { predictionJson, printNotPredicted, printRegisters } from "./print-prediction.ts";

function acpiDigests(text: string | undefined): Pick<TdxMachine, "acpi"> {
  if (text === undefined) return {};
  const [loader, rsdp, tables, ...more] = text.split(",").map((digest) => readSha384(digest, "--acpi-digests"));
  if (loader === undefined || rsdp === undefined || tables === undefined || more.length > 0)
    throw new CmcpError("USAGE", "--acpi-digests takes three digests");
  return { acpi: { loader, rsdp, tables } };
}

/** `cmcp measure tdx` */
export const measureTdx: Command = {
  help: `Usage: cmcp measure tdx --ovmf FILE [--kernel FILE [--initrd FILE] | --uki FILE] [--append TEXT]
                        [--memory SIZE] [--acpi-digests LOADER,RSDP,TABLES] [--json]

Computes what TDX measures of an image from the files alone. A register has several values where the host
chooses among ways to start the same image; each is printed with what the host then does. MRTD follows from
the firmware, RTMR1 and RTMR2 from kernel, initrd and command line. RTMR0 holds memory size, ACPI tables and
boot options of the machine: it is predicted with --memory and --acpi-digests for OVMF up to edk2 202502.
RTMR3 is zero until the guest extends it.

  --ovmf FILE       firmware with TDVF metadata
${BOOT_HELP}
  --acpi-digests L,R,T  SHA-384 of etc/table-loader, etc/acpi/rsdp and etc/acpi/tables of the machine's QEMU

Exit codes: 0 computed, 10 a file is not valid or its measurement does not follow from it, 64 usage.
Example:    cmcp measure tdx --ovmf OVMF.inteltdx.fd --kernel vmlinuz --initrd initrd.img --append quiet
`,
  async run(args, terminal) {
    const { values } = readArguments(args, {
      ...BOOT_OPTIONS,
      ovmf: { type: "string" },
      "acpi-digests": { type: "string" },
      json: { type: "boolean", default: false },
    });
    const memory = values.memory === undefined ? undefined : readSize(values.memory, "--memory");
    const machine = { ...(memory === undefined ? {} : { memory }), ...acpiDigests(values["acpi-digests"]) };
    const firmware = await readInput(required(values.ovmf, "--ovmf"), "firmware", MAX_FIRMWARE);
    const prediction = predictTdx(firmware, await readBootFiles(values, memory), machine);
    if (values.json) {
      terminal.out.write(`${JSON.stringify({ ok: true, platform: "tdx", ...predictionJson(prediction) })}\n`);
      return EXIT.ok;
    }
    printRegisters(prediction, "", terminal);
    printNotPredicted(prediction, terminal);
    return EXIT.ok;
  },
};
