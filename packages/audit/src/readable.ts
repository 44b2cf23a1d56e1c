import {
  executionEvidenceSchema,
  MAX_DETAIL_MEMBERS,
  MAX_DETAIL_NAME,
  MAX_ENTRY_TEXT,
  type AuditEntry,
} from "./entry.ts";

/** Years beyond 9999 are written with a sign (ECMA-262 section 21.4.1.32), which no reader takes. */
const TIME = /^[0-9]{4}-/;

type Detail = NonNullable<AuditEntry["detail"]>;

function isReadableDetail(detail: Detail): boolean {
  const names = Object.keys(detail);
  return (
    names.length <= MAX_DETAIL_MEMBERS &&
    names.every((name) => name.length <= MAX_DETAIL_NAME && isReadableValue(detail[name]))
  );
}

function isReadableValue(value: Detail[string] | undefined): boolean {
  return typeof value === "string" ? value.length <= MAX_ENTRY_TEXT : Number.isFinite(value);
}

/**
 * Which member of an entry that this process made no reader would accept; `null` when all are well. It asks what the types of
 * {@link AuditEntry} leave open: an entry is made for every call, and the schema of readers took a fifth of a call's time.
 */
export function unreadableMember(entry: AuditEntry): string | null {
  for (const name of Object.keys(entry)) {
    const value: unknown = Reflect.get(entry, name);
    if (typeof value === "string" && value.length > MAX_ENTRY_TEXT) return name;
  }
  if (!TIME.test(entry.timestamp_utc)) return "timestamp_utc";
  if (entry.latency_us !== null && !(Number.isSafeInteger(entry.latency_us) && entry.latency_us >= 0))
    return "latency_us";
  if (entry.detail !== null && !isReadableDetail(entry.detail)) return "detail";
  if (
    entry.external_execution_evidence !== null &&
    !executionEvidenceSchema.safeParse(entry.external_execution_evidence).success
  )
    return "external_execution_evidence";
  return null;
}
