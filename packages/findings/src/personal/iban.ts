import { remainder } from "./check-digits.ts";

/** Lengths of IBANs by country (ISO 13616, the registry's table). */
const LENGTHS =
  "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 " +
  "GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 " +
  "MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 " +
  "UA29 VA22 VG24 XK20";
const LENGTH_OF: ReadonlyMap<string, number> = new Map(
  LENGTHS.split(" ").map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);
/** What may be an IBAN, in groups of four or in one piece. */
const IBAN = /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/g;

/** Whether it has its country's length and check digits (ISO 7064, MOD 97-10). */
export function isIban(compact: string): boolean {
  if (LENGTH_OF.get(compact.slice(0, 2)) !== compact.length) return false;
  const digits = (compact.slice(4) + compact.slice(0, 4)).replace(/[A-Z]/g, (letter) =>
    String(letter.charCodeAt(0) - 55),
  );
  return remainder(digits, 97) === 1;
}

/** The IBANs of a text. A group of letters that follows one may be a word. */
export function findIbans(text: string): string[] {
  return Array.from(text.matchAll(IBAN), ([match]) => {
    const compact = match.replaceAll(" ", "");
    const length = LENGTH_OF.get(compact.slice(0, 2)) ?? 0;
    return isIban(compact.slice(0, length)) ? compact.slice(0, length) : null;
  }).filter((iban) => iban !== null);
}
