export { treeArchive } from "./archive.ts";
export { treeDigest } from "./digest.ts";
export { archiveDigest } from "./read-archive.ts";
