import { invalid } from "../bytes/input.ts";
import { openFirmware, tableWord } from "../firmware/firmware.ts";
import { PAGE_BYTES } from "../firmware/ranges.ts";
import { DEFAULT_GUEST_FEATURES } from "./guest-features.ts";
import { checkVcpus, digestOfPages, metadataPages } from "./launch-digest.ts";
import { contentPages, vmsaPages, type PageUpdate } from "./page-update.ts";
import { svsmVmsaPage } from "./vmsa.ts";

const SVSM_INFO = "a789a612-0597-4c4b-a49f-cbb1fe9d1ddd";

/** A launch by coconut-svsm's QEMU: an SVSM below the firmware and its variable store. Guest features are 0x1 there. */
export interface SvsmLaunch {
  readonly firmware: Uint8Array;
  readonly svsm: Uint8Array;
  /** Bytes of the variable store between the two. */
  readonly varsSize: number;
  readonly vcpus: number;
  readonly cpuSignature: number;
}

/** The save area that every processor starts with. */
export function svsmProcessorPage({ firmware, svsm, varsSize, cpuSignature }: Omit<SvsmLaunch, "vcpus">): Uint8Array {
  const image = openSvsm(firmware, svsm, varsSize);
  return svsmVmsaPage(
    cpuSignature,
    DEFAULT_GUEST_FEATURES,
    image.gpa + tableWord(image, SVSM_INFO, "SVSM information"),
  );
}

function openSvsm(firmware: Uint8Array, svsm: Uint8Array, varsSize: number) {
  if (!Number.isSafeInteger(varsSize) || varsSize < 0 || varsSize % PAGE_BYTES !== 0)
    throw invalid("variable store", "its size is not a number of whole pages");
  return openFirmware(svsm, "SVSM", openFirmware(firmware).gpa - varsSize);
}

/** Every page of an SVSM launch in the order it is measured. */
export function* svsmLaunchPages(launch: SvsmLaunch): Generator<PageUpdate> {
  checkVcpus(launch.vcpus);
  const firmware = openFirmware(launch.firmware);
  const image = openSvsm(launch.firmware, launch.svsm, launch.varsSize);
  yield* contentPages(firmware.gpa, firmware.reader.bytes);
  yield* contentPages(image.gpa, image.reader.bytes);
  yield* metadataPages(image, "QEMU", undefined);
  yield* vmsaPages(Array.from({ length: launch.vcpus }).fill(svsmProcessorPage(launch)) as Uint8Array[]);
}

/** MEASUREMENT of a launch with an SVSM, lowercase hex of 48 bytes. @throws CmcpError `MEASURE_INPUT_INVALID` */
export function svsmLaunchDigest(launch: SvsmLaunch): string {
  return digestOfPages(svsmLaunchPages(launch));
}
