import { invalid, notPredictable } from "../bytes/input.ts";
import { openPe, type PeImage, type PeSection } from "./image.ts";

/** Sections of a unified kernel image in the order systemd-stub measures them (UAPI.5, and systemd src/fundamental/uki.c). */
export const UKI_SECTIONS = [
  ".linux",
  ".osrel",
  ".cmdline",
  ".initrd",
  ".ucode",
  ".splash",
  ".dtb",
  ".uname",
  ".sbat",
  ".pcrsig",
  ".pcrpkey",
] as const;
export type UkiSection = (typeof UKI_SECTIONS)[number];

/** Sections with which the stub chooses at boot among several of a kind. */
const CHOOSING: readonly string[] = [".profile", ".dtbauto", ".hwids", ".efifw"];

/** A unified kernel image: a PE file whose sections systemd-stub measures and starts the kernel from. */
export interface Uki {
  readonly image: PeImage;
  /** Content of the sections it has, as they lie in memory. */
  readonly sections: ReadonlyMap<UkiSection, Uint8Array>;
  /** Content of `.linux`, the kernel: the one section that every image has. */
  readonly linux: Uint8Array;
}

function content(image: PeImage, { name, offset, size, virtualSize }: PeSection): Uint8Array {
  if (virtualSize > size) throw notPredictable("UKI", `section ${name} has more memory than data`);
  return image.reader.slice(offset, virtualSize);
}

/**
 * Reads a unified kernel image.
 * @throws CmcpError `MEASURE_INPUT_INVALID`, `MEASURE_NOT_PREDICTABLE` when it holds several profiles or device trees
 */
export function openUki(bytes: Uint8Array): Uki {
  const image = openPe(bytes);
  const choosing = image.sections.find(({ name }) => CHOOSING.includes(name));
  if (choosing !== undefined) throw notPredictable("UKI", `section ${choosing.name} makes the stub choose at boot`);
  const sections = new Map<UkiSection, Uint8Array>();
  for (const name of UKI_SECTIONS) {
    const [section, second] = image.sections.filter((candidate) => candidate.name === name);
    if (second !== undefined) throw invalid("UKI", `duplicate section ${name}`);
    if (section !== undefined) sections.set(name, content(image, section));
  }
  const linux = sections.get(".linux");
  if (linux === undefined) throw invalid("UKI", "has no kernel section");
  return { image, sections, linux };
}
