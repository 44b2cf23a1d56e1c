import { isMap, parseDocument } from "yaml";
import { CmcpError } from "@cmcp/boundary";
import type { Environment } from "../config/environment.ts";
import { parseConfig } from "../config/load.ts";
import { MAX_CONFIG_LENGTH } from "../config/yaml.ts";
import { readText } from "./read.ts";

/**
 * A configuration file's text in which a stdio server has these environment variables. Its comments stay.
 * @param server its name in the catalog
 * @throws CmcpError `CONFIG_INVALID` where the file or what comes of it is no valid configuration
 */
export async function withServerEnvironment(
  path: string,
  env: Environment,
  server: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const text = await readText(path, { what: "configuration", code: "CONFIG_INVALID", maxBytes: MAX_CONFIG_LENGTH * 4 });
  // Refuses what the editor would read otherwise: anchors, tags, duplicate keys.
  parseConfig(text, { env, file: path });
  const document = parseDocument(text, { version: "1.2", schema: "core" });
  const place = ["enclave", "stdio", "servers", server];
  if (isMap(document.getIn(place)))
    throw new CmcpError("CONFIG_INVALID", `${path}: enclave.stdio.servers has ${server} already`);
  document.setIn([...place, "environment"], environment);
  const edited = document.toString({ lineWidth: 0 });
  parseConfig(edited, { env, file: path });
  return edited;
}
