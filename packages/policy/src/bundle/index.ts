export { bundleHash } from "./hash.ts";
export { readBundle, type BundleFiles, type PolicyBundle } from "./read.ts";
