import { digestOf, extendAll, type HashAlgorithm } from "../bytes/digest.ts";

/** A digest by each hash that a measurement register may use. */
export type DigestPair = Readonly<Record<HashAlgorithm, Uint8Array>>;

/** One measurement that firmware, boot stub or kernel makes, in the order they make them. */
export interface BootEvent {
  /** The PCR it goes to; on TDX the RTMR that stands for it. */
  readonly pcr: number;
  readonly digest: DigestPair;
}

/** Both digests of the concatenation of `parts`. */
export function digestPair(...parts: readonly Uint8Array[]): DigestPair {
  return { sha256: digestOf("sha256", ...parts), sha384: digestOf("sha384", ...parts) };
}

/** An event whose measured data is `parts`. */
export function dataEvent(pcr: number, ...parts: readonly Uint8Array[]): BootEvent {
  return { pcr, digest: digestPair(...parts) };
}

/** An event whose measured data is ASCII text without a NUL (TCG PC Client PFP 10.4.5, EV_EFI_ACTION). */
export function actionEvent(pcr: number, text: string): BootEvent {
  return dataEvent(pcr, Buffer.from(text, "latin1"));
}

/** Value of one PCR of a bank after the events that go to it. Lowercase hex. */
export function pcrValue(events: readonly BootEvent[], algorithm: HashAlgorithm, pcr: number): string {
  return extendAll(
    algorithm,
    events.filter((event) => event.pcr === pcr).map(({ digest }) => digest[algorithm]),
  );
}

/** The RTMR that stands for a PCR (UEFI specification 2.10, table "TDX PCR mapping"); RTMR3 stands for none. */
export function rtmrOfPcr(pcr: number): 0 | 1 | 2 {
  if (pcr === 1 || pcr === 7) return 0;
  return pcr <= 6 ? 1 : 2;
}

/** Value of RTMR 1 or 2 after the events that go to it. Lowercase hex. */
export function rtmrValue(events: readonly BootEvent[], rtmr: 1 | 2): string {
  return extendAll(
    "sha384",
    events.filter(({ pcr }) => rtmrOfPcr(pcr) === rtmr).map(({ digest }) => digest.sha384),
  );
}
