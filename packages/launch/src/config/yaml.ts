import { CmcpError } from "@cmcp/boundary";
import { isCollection, isScalar, parseDocument, visit } from "yaml";

/** Largest configuration file, in UTF-16 units. */
export const MAX_CONFIG_LENGTH = 64 * 1024;
const MAX_DEPTH = 16;

/**
 * Reads a configuration file's YAML: one document of plain values. Aliases, anchors, tags and duplicate
 * keys are refused, because two readers may take them differently; without anchors no alias can grow.
 * @throws CmcpError `CONFIG_INVALID` naming the file and, where known, the line
 */
export function readYaml(text: string, file: string): unknown {
  const refuse = (why: string, offset?: number): never => {
    const at = offset === undefined ? "" : ` (line ${text.slice(0, offset).split("\n").length})`;
    throw new CmcpError("CONFIG_INVALID", `${file}: ${why}${at}`, { detail: { file } });
  };
  if (text.length > MAX_CONFIG_LENGTH) refuse(`larger than ${MAX_CONFIG_LENGTH} characters`);
  try {
    const document = parseDocument(text, {
      version: "1.2",
      schema: "core",
      uniqueKeys: true,
      merge: false,
      strict: true,
      stringKeys: true,
    });
    const fault = document.errors[0] ?? document.warnings[0];
    if (fault !== undefined) refuse(`not valid YAML: ${fault.code.toLowerCase().replaceAll("_", " ")}`, fault.pos[0]);
    visit(document, (_key, node, path) => {
      if (path.filter((parent) => isCollection(parent)).length > MAX_DEPTH) refuse("nested too deeply");
      if ((isScalar(node) || isCollection(node)) && (node.anchor !== undefined || node.tag !== undefined)) {
        refuse("anchors and tags are not allowed", node.range?.[0]);
      }
    });
    return document.toJS() as unknown;
  } catch (thrown) {
    if (thrown instanceof CmcpError) throw thrown;
    throw new CmcpError("CONFIG_INVALID", `${file}: not valid YAML`, { cause: thrown, detail: { file } });
  }
}
