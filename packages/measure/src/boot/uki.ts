import { commandLineBytes, isAscii, utf16WithNul } from "../bytes/text.ts";
import { invalid, notPredictable } from "../bytes/input.ts";
import { authenticodeDigest } from "../pe/authenticode.ts";
import { openPe, type PeImage } from "../pe/image.ts";
import { openUki, UKI_SECTIONS, type Uki, type UkiSection } from "../pe/uki.ts";
import { dataEvent, type BootEvent } from "./event.ts";
import { CALLING_BOOT_OPTION, PCR, SEPARATOR } from "./firmware-events.ts";
import { paddedTo4, stubArchive } from "./stub-archive.ts";

/** Who starts the image: OVMF with what QEMU's `-kernel` gives it, or a boot option that names a file on a disk. */
export type UkiStart = "qemu-kernel" | "disk";

/** What the parts of a unified kernel image are measured as. */
export interface UkiMeasurements {
  /** The image as a program, and the kernel in it, which the stub starts as a program of its own. */
  readonly image: BootEvent;
  readonly kernel: BootEvent;
  /** By the stub: sections, and a command line given at start. */
  readonly stub: readonly BootEvent[];
  /** By the kernel's own EFI stub: load options and initrd. */
  readonly kernelStub: readonly BootEvent[];
}

/** Sections that the stub hands on as files of an archive behind the initrd, in that order. */
const HANDED_ON: ReadonlyMap<UkiSection, string> = new Map([
  [".pcrsig", "tpm2-pcr-signature.json"],
  [".pcrpkey", "tpm2-pcr-public-key.pem"],
  [".osrel", "os-release"],
] as const);
/** Measured by nobody: it signs the other measurements. */
const UNMEASURED: UkiSection = ".pcrsig";

function program(image: PeImage): BootEvent {
  return {
    pcr: PCR.bootPrograms,
    digest: { sha256: authenticodeDigest(image, "sha256"), sha384: authenticodeDigest(image, "sha384") },
  };
}

/** PCR 11: name with its NUL, then content, of every section there is (systemd-stub(7)). */
function sectionEvents({ sections }: Uki): BootEvent[] {
  return UKI_SECTIONS.filter((name) => name !== UNMEASURED).flatMap((name) => {
    const content = sections.get(name);
    return content === undefined
      ? []
      : [dataEvent(PCR.ukiSections, Buffer.from(`${name}\0`, "latin1")), dataEvent(PCR.ukiSections, content)];
  });
}

/** What the stub passes to the kernel as its initrd, in pieces; several are each padded to four bytes. */
function initrdPieces({ sections }: Uki): readonly Uint8Array[] {
  const embedded = ([".ucode", ".initrd"] as const).flatMap((name) => sections.get(name) ?? []);
  const archives = [...HANDED_ON].flatMap(([name, file]) => {
    const content = sections.get(name);
    return content === undefined ? [] : [stubArchive(file, content)];
  });
  const pieces = [...embedded, ...archives];
  return pieces.length === 1 ? pieces : pieces.flatMap(paddedTo4);
}

/** A command line as the stub passes it on: without white space at its ends. */
function stubCommandLine(text: string): string {
  const commandLine = text.replace(/^[ \t\r\n]+/, "").replace(/[ \t\r\n]+$/, "");
  commandLineBytes(commandLine);
  return commandLine;
}

function embeddedCommandLine({ sections }: Uki): string {
  const bytes = Buffer.from(sections.get(".cmdline") ?? new Uint8Array());
  const end = bytes.indexOf(0);
  const text = bytes.subarray(0, end === -1 ? bytes.length : end);
  if (!Buffer.from(text.toString("utf8"), "utf8").equals(text)) throw invalid("UKI", "its command line is not UTF-8");
  return stubCommandLine(text.toString("utf8"));
}

/**
 * Measures the parts of an image that is started without Secure Boot and without add-ons, credentials or extensions beside
 * it; each of those would show in PCR 12 or 13.
 * @param appended command line given at start; it replaces the image's own and is measured in PCR 12
 * @throws CmcpError `MEASURE_INPUT_INVALID`, `MEASURE_NOT_PREDICTABLE`
 */
export function measureUki(bytes: Uint8Array, appended = ""): UkiMeasurements {
  const uki = openUki(bytes);
  const argument = stubCommandLine(appended);
  if (argument.startsWith("@"))
    throw notPredictable("command line", "begins with @, which chooses among profiles of an image");
  // As QEMU's -append it comes as firmware makes it of bytes; the image's own the stub reads as UTF-8.
  if (!isAscii(argument))
    throw notPredictable("command line", "is not ASCII, which firmware hands on in a way of its own");
  const commandLine = argument === "" ? embeddedCommandLine(uki) : argument;
  const options = dataEvent(PCR.kernelStub, utf16WithNul(commandLine));
  const initrd = initrdPieces(uki);
  return {
    image: program(uki.image),
    kernel: program(openPe(uki.linux)),
    stub: [...sectionEvents(uki), ...(argument === "" ? [] : [{ pcr: PCR.ukiParameters, digest: options.digest }])],
    kernelStub: [
      ...(commandLine === "" ? [] : [options]),
      ...(initrd.length === 0 ? [] : [dataEvent(PCR.kernelStub, ...initrd)]),
    ],
  };
}

/** The measurements in the order they are made, up to leaving firmware. */
export function ukiEvents({ image, kernel, stub, kernelStub }: UkiMeasurements, start: UkiStart): readonly BootEvent[] {
  const begin =
    start === "qemu-kernel" ? [image, CALLING_BOOT_OPTION, SEPARATOR] : [CALLING_BOOT_OPTION, SEPARATOR, image];
  return [...begin, ...stub, kernel, ...kernelStub];
}
