/** Characters of one text that is read as a path or URL, and of what becomes of it. */
export const MAX_TARGET_LENGTH = 2_048;
/** Paths and URLs of one call. */
export const MAX_TARGETS = 64;
/** Values of a call's arguments that are looked at, nested ones included. */
export const MAX_VALUES = 4_096;
/** Depth of nested arguments that are looked at. */
export const MAX_DEPTH = 32;
/** Encodings around each other, such as `%25252e`. */
export const MAX_ENCODINGS = 8;
/** URLs inside each other, such as `jar:file:/x!/y`. */
export const MAX_NESTED_URLS = 4;
