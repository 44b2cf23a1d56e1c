import type { BuildOptions } from "esbuild";

/** How everything is bundled. */
export const BUNDLE: BuildOptions = {
  bundle: true,
  platform: "node",
  target: "node22",
  legalComments: "none",
  logLevel: "warning",
  charset: "utf8",
};

/** How a script of the enclave is bundled, be it shipped or put into a machine by a test. */
export const ENCLAVE_SCRIPT: BuildOptions = { ...BUNDLE, format: "cjs", outExtension: { ".js": ".cjs" } };

/** How the script of the approvers' page is bundled: one module, for browsers that have passkeys. */
export const APPROVALS_PAGE: BuildOptions = {
  ...BUNDLE,
  platform: "browser",
  target: "es2022",
  format: "esm",
  minifySyntax: true,
  minifyWhitespace: true,
};
