export { bundleHash } from "./hash.ts";
export { MAX_HISTORY, type HistoryDeclaration } from "./history.ts";
export { requirePinned, type BundlePins } from "./pins.ts";
export { readBundle, type BundleFiles, type PolicyBundle } from "./read.ts";
export { bundleSigningInput, signBundle, verifyBundleSignature } from "./signature.ts";
export { SigningKeys, type KeyChange } from "./signing-keys.ts";
export { compareVersions, requireHigherVersion } from "./version.ts";
