import type { Tally } from "../findings.ts";
import { digitsOf } from "./check-digits.ts";
import { findIbans } from "./iban.ts";
import { findLetteredNumbers, nationalKinds } from "./national-numbers.ts";
import { isPaymentCard } from "./payment-card.ts";

/** Digits with single separators between them: what may be a number of a person or account. */
const NUMBER = /\d(?:[ .\u00a0/-]?\d){7,}/g;
/** Longest such run that is looked at, in UTF-16 units: a card in groups has 23. */
const MAX_NUMBER = 32;
/** UTF-16 units about a number in which words may name it. */
const CONTEXT_BEFORE = 48;
const CONTEXT_AFTER = 24;
const MEDICAL_RECORD = /\b(?:mrn|medical record|patient (?:id|no|number)|krankenakte|dossier m[ée]dical)/;
const TELEPHONE = /\b(?:tel|phone|mobile|cell|fax|call|telefon|tél)/;
const INTERNATIONAL = /^(?:\+|00)$/;
const LOCAL_PART = /[A-Za-z0-9._%+-]{1,64}$/;
const DOMAIN = /^(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}/;

/** E-mail addresses (RFC 5322 without quoted parts), found from their at sign. */
function findAddresses(text: string, tally: Tally): void {
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    const [local] = LOCAL_PART.exec(text.slice(Math.max(0, at - 64), at)) ?? [];
    const [domain] = DOMAIN.exec(text.slice(at + 1, at + 256)) ?? [];
    if (local !== undefined && domain !== undefined) tally.add("contact", "email", `${local}@${domain}`.toLowerCase());
  }
}

interface Candidate {
  readonly value: string;
  readonly before: string;
  /** The words about it, in lower case. */
  readonly context: string;
}

function classifyNumber({ value, before, context }: Candidate, tally: Tally): void {
  const digits = digitsOf(value);
  const compact = digits.join("");
  // A dot makes it a decimal or a telephone number.
  if (!/[./]/.test(value) && isPaymentCard(digits)) return tally.add("personal", "payment-card", compact);
  const kinds = nationalKinds(value, context);
  for (const kind of kinds) tally.add("personal", kind, compact);
  if (kinds.length > 0) return;
  if (MEDICAL_RECORD.test(context)) return tally.add("personal", "medical-record", compact);
  const plus = INTERNATIONAL.test(before.slice(-1)) || value.startsWith("00");
  if (digits.length <= 15 && ((plus && digits.length >= 8) || TELEPHONE.test(context)))
    tally.add("contact", "telephone", compact);
}

/** Numbers that stand alone: digits inside a word, a hexadecimal string or a longer number are something else. */
function findNumbers(text: string, tally: Tally): void {
  for (const { 0: value, index } of text.matchAll(NUMBER)) {
    if (value.length > MAX_NUMBER) continue;
    const before = text.slice(Math.max(0, index - CONTEXT_BEFORE), index);
    const end = index + value.length;
    if (/[A-Za-z0-9_]$/.test(before) || /^[A-Za-z0-9_]/.test(text.slice(end, end + 1))) continue;
    const context = `${before} ${text.slice(end, end + CONTEXT_AFTER)}`.toLowerCase();
    classifyNumber({ value, before, context }, tally);
  }
}

/** Adds personal data and contacts of a text. Linear in the text: every look about a number is bounded. */
export function findPersonal(text: string, tally: Tally): void {
  findAddresses(text, tally);
  findNumbers(text, tally);
  for (const iban of findIbans(text)) tally.add("personal", "iban", iban);
  for (const { kind, value } of findLetteredNumbers(text)) tally.add("personal", kind, value);
}
