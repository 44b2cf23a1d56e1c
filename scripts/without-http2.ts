import type { Plugin } from "esbuild";

/**
 * Leaves undici's HTTP/2 client out of a bundle. No pool allows HTTP/2, and loading Node's for it would take longer
 * than loading all else of undici.
 */
export const withoutHttp2: Plugin = {
  name: "without-http2",
  setup: (bundling) => {
    bundling.onResolve({ filter: /\/client-h2\.js$/ }, () => ({ path: "client-h2", namespace: "without-http2" }));
    bundling.onLoad({ filter: /.*/, namespace: "without-http2" }, () => ({
      contents: 'module.exports = () => { throw new Error("this bundle has no HTTP/2 client"); };',
      loader: "js",
    }));
  },
};
