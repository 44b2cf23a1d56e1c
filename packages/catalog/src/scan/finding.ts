/** How grave a finding is. `high` refuses a catalog outside development; the others warn. */
export type Severity = "high" | "medium" | "low";

/** What was found. */
export type FindingKind =
  | "invisible-character"
  | "bidi-control"
  | "tag-character"
  | "control-character"
  | "unusual-whitespace"
  | "private-use-character"
  | "mixed-script"
  | "override-instruction"
  | "secrecy-instruction"
  | "role-marker"
  | "model-directive"
  | "exfiltration"
  | "sensitive-path"
  | "hidden-comment"
  | "external-image"
  | "encoded-blob"
  | "blank-run"
  | "secret"
  | "personal-data"
  | "hidden-text"
  | "carrying-link"
  | "injection-score"
  | "excessive-length"
  | "look-alike-name"
  | "look-alike-host"
  | "not-scanned";

/** One thing a reviewer should see. It quotes nothing of the text but code points. */
export interface Finding {
  /** Name of the tool or prompt, or the resource's URI or template. */
  readonly tool: string;
  /** What it is when it is no tool. */
  readonly subject?: "resource" | "prompt";
  /** Identity of its server. */
  readonly server: string;
  readonly kind: FindingKind;
  readonly severity: Severity;
  /** JSON pointer (RFC 6901) into the catalog entry. */
  readonly path: string;
  /** Such as `U+200B`; `null` when the finding is about more than one character. */
  readonly codePoint: string | null;
  /** Index of its first UTF-16 unit in the text; `null` when it has no place. */
  readonly offset: number | null;
  readonly message: string;
}

/** A finding in one text, before it is known whose text it is. */
export type TextFinding = Pick<Finding, "kind" | "severity" | "codePoint" | "offset" | "message">;

/** A finding about a stretch of text. */
export function found(kind: FindingKind, severity: Severity, offset: number | null, message: string): TextFinding {
  return { kind, severity, codePoint: null, offset, message };
}

/** `U+` and at least four hexadecimal digits. */
export function codePointName(codePoint: number): string {
  return `U+${codePoint.toString(16).toUpperCase().padStart(4, "0")}`;
}
