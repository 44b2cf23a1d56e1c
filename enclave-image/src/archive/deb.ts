import { zstdDecompressSync } from "node:zlib";
import { readAr } from "./ar.ts";
import { malformed } from "./malformed.ts";
import { readTar, type TarEntry } from "./tar.ts";
import { unxz } from "./xz/unxz.ts";

/** Unpacked bytes of one package; the largest in the lock file is a tenth of it. */
const MAX_UNPACKED = 1024 * 1024 * 1024;

/** What a Debian package installs, in the package's order. Its scripts are not looked at. @throws CmcpError `IMAGE_INPUT_INVALID` */
export function readDeb(bytes: Uint8Array): TarEntry[] {
  for (const { name, data } of readAr(bytes)) {
    if (name === "data.tar.xz") return readTar(unxz(data, MAX_UNPACKED));
    if (name === "data.tar.zst") return readTar(zstdDecompressSync(data, { maxOutputLength: MAX_UNPACKED }));
  }
  throw malformed("deb", "no data archive of a known compression");
}
