import { plainText } from "./plain-text.ts";

/** A path in the one form that rules compare. */
export interface NormalPath {
  /** Without `.`, `..`, backslashes and repeated slashes; `.` for the start of a relative path. */
  readonly path: string;
  /** Whether the path as written leaves its start, or means something else than it says. */
  readonly escapes: boolean;
  /** False if the path could not be normalised within bounds; `path` is then empty. */
  readonly complete: boolean;
}

const INCOMPLETE: NormalPath = { path: "", escapes: true, complete: false };
/** Rounds until a normal form is its own. More than one is for texts that hide a path in a path. */
const MAX_ROUNDS = 4;
const DRIVE = /^\/?([A-Za-z]):(?=\/|$)/;
/** What a shell expands at the start of a path, and a drive without a slash, which has a folder of its own. */
const EXPANDED = /^(?:~|\$|%\w+%|[A-Za-z]:[^/])/;
/** `\\?\` and `\\.\`, which name devices. */
const DEVICE = /^[\\/]{2}[?.][\\/]/;

function slashed(text: string): string {
  return text.replaceAll("\\", "/");
}

/** What servers take a segment for: without path parameters (`..;x`) and the spaces around it. */
function meaning(segment: string): string {
  const [name = ""] = segment.split(";", 1);
  return name.trim();
}

function ups(segments: readonly string[]): number {
  return segments.filter((segment) => segment === "..").length;
}

/** Resolves `.` and `..` as RFC 3986 section 5.2.4 does. A relative path that leaves its start keeps what it cannot resolve. */
function resolve(text: string): { readonly path: string; readonly escapes: boolean } {
  const drive = DRIVE.exec(text);
  const [start, rest] = drive === null ? ["", text] : [`${drive[1]?.toLowerCase()}:/`, text.slice(drive[0].length)];
  const root = start === "" ? (text.startsWith("/") ? "/" : "") : start;
  const resolved: string[] = [];
  let escapes = false;
  for (const segment of rest.split("/")) {
    const means = meaning(segment);
    const strange = segment !== means;
    if (means === "..") {
      const above = resolved.length === 0 || resolved.at(-1) === "..";
      escapes ||= strange || above;
      if (!above) resolved.pop();
      else if (root === "") resolved.push("..");
    } else if (means === ".") escapes ||= strange;
    else if (segment !== "") {
      // Dots alone: what a filter that removes `../` once leaves a way through, and what some systems shorten.
      escapes ||= /^\.+$/.test(means);
      resolved.push(segment);
    }
  }
  const path = `${root}${resolved.join("/")}`;
  return { path: path === "" ? "." : path, escapes };
}

/**
 * Brings a path into the one form that rules compare. Encodings are taken off, backslashes become slashes, `.` and `..` are resolved, and a
 * drive letter is lower case. The case of names stays. Links of a file system are not known here.
 */
export function normalisePath(raw: string): NormalPath {
  let [text, escapes] = [raw, DEVICE.test(raw)];
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const plain = plainText(text);
    if (!plain.complete) return INCOMPLETE;
    const [written, read] = [slashed(text), slashed(plain.text)];
    const resolved = resolve(read);
    escapes ||=
      plain.control ||
      resolved.escapes ||
      written.startsWith("/") !== read.startsWith("/") ||
      ups(written.split("/")) !== ups(read.split("/")) ||
      EXPANDED.test(resolved.path);
    if (resolved.path === text) return { path: text, escapes, complete: true };
    text = resolved.path;
  }
  return INCOMPLETE;
}

/**
 * The deepest path that holds all of these: the path itself if there is one. `/` or `.` if only the start is common, and empty
 * for no paths and for paths of different starts.
 * @param paths in normal form
 */
export function commonPath(paths: readonly string[]): string {
  const [first, ...others] = paths.map((path) => (path === "/" ? [""] : path === "." ? [] : path.split("/")));
  if (first === undefined) return "";
  const starts = new Set(paths.map((path) => path.startsWith("/")));
  if (starts.size > 1) return "";
  const end = others.reduce((length, segments) => {
    const differs = first.slice(0, length).findIndex((segment, index) => segment !== segments[index]);
    return differs < 0 ? length : differs;
  }, first.length);
  const common = first.slice(0, end).join("/");
  return common === "" ? (starts.has(true) ? "/" : ".") : common;
}
