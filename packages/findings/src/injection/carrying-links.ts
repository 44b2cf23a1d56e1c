import type { Tally } from "../findings.ts";
import { decodedRuns } from "../text/encodings.ts";

/** An address as text holds it, to where Markdown or HTML ends it. At most 2 048 units are read. */
const ADDRESS = /(?:https?|ftp):\/\/[^\s<>"'`)\]]{4,2048}/gi;
/** What a model is to fill in. */
const PLACEHOLDER =
  /\{\{?[\w .-]{1,40}\}|%7b[\w%.-]{1,40}%7d|\$\{|\[[A-Za-z_ ]{3,40}$|(?:=|\/)(?:DATA|SECRET|CONTENT|PAYLOAD|BASE64|YOUR)[A-Z_]{0,30}\b/i;
/** A template follows RFC 6570 in honest documents too; only where a query is filled in does it carry. */
const QUERY_FILLED = /[?&#][^=&]{1,40}=[^&]{0,40}(?:\{|%7b|\$\{)/i;
const WORDY = /(?:%20|\+|_|-)/g;
/** Words in one value of an image's or link's query that make it carry text. */
const IMAGE_WORDS = 6;
const LINK_WORDS = 14;
/** Longest label of a host name that names a host; a longer one carries data (RFC 1035 allows 63). */
const MAX_LABEL = 40;
/** Longest value of an image's query. */
const IMAGE_VALUE = 120;
/** Units before an address that tell whether it is an image. */
const BEFORE = 256;
const IMAGE = /!\[[^\]]{0,200}\]\(\s{0,4}$|<img\b[^>]{0,200}src\s{0,4}=\s{0,4}["']?$/i;

function carries(address: string, isImage: boolean): boolean {
  const rest = address.slice(address.indexOf("://") + 3);
  const [host = ""] = rest.split(/[/?#]/, 1);
  if (host.split(".").some((label) => label.length > MAX_LABEL)) return true;
  if (QUERY_FILLED.test(rest) || (isImage && PLACEHOLDER.test(rest))) return true;
  if (decodedRuns(rest).length > 0) return true;
  const [, query = ""] = rest.split(/[?#]/, 2);
  const values = query.split("&").map((pair) => pair.slice(pair.indexOf("=") + 1));
  const words = isImage ? IMAGE_WORDS : LINK_WORDS;
  return values.some((value) => (isImage && value.length > IMAGE_VALUE) || (value.match(WORDY)?.length ?? 0) >= words);
}

/** Adds links and images whose address carries data or has a place for it. */
export function findCarryingLinks(text: string, tally: Tally): void {
  if (!text.includes("://")) return;
  for (const { 0: address, index } of text.matchAll(ADDRESS)) {
    const isImage = IMAGE.test(text.slice(Math.max(0, index - BEFORE), index));
    if (carries(address, isImage)) tally.add("link", isImage ? "image" : "link", address);
  }
}
