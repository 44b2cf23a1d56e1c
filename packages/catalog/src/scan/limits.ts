/** UTF-16 units of one tool's texts and keys that are read; a definition within its own bound stays below. */
export const MAX_SCANNED = 512 * 1024;
/** Values and keys of one tool that are read. */
export const MAX_NODES = 50_000;
/** Findings kept for one tool, and for names; one more says that there are others. */
export const MAX_FINDINGS = 64;
/** Pairs of names compared letter by letter. */
export const MAX_NAME_PAIRS = 200_000;
/** UTF-16 units of a tool name that are compared. */
export const MAX_COMPARED_NAME = 128;
/** UTF-16 units of a description that nobody reads to its end. */
export const LONG_DESCRIPTION = 2_048;
/** UTF-16 units of a description that is a document of its own. */
export const EXCESSIVE_DESCRIPTION = 8_192;
/** Length of a run of base64 characters that is no word. */
export const MIN_BLOB = 64;
/** Blank characters in a row that push what follows out of a reviewer's sight. */
export const MIN_BLANK_RUN = 40;
/** Soft hyphens of one text that are taken for typesetting, where they divide words. */
export const MAX_SOFT_HYPHENS = 8;
