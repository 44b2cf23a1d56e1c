/** Policy files of one bundle. */
export const MAX_FILES = 500;
/** Characters of one bundle file. */
export const MAX_FILE_LENGTH = 256 * 1024;
/** Characters of a bundle's files together. */
export const MAX_BUNDLE_LENGTH = 1024 * 1024;
/** Characters of a file's path inside the bundle. */
export const MAX_PATH_LENGTH = 256;
