import { withoutTasks, type ClientCapabilities } from "../../protocol/client-capabilities.ts";
import { NEWEST_LEGACY_VERSION, type LegacyVersion } from "../../versions.ts";

/**
 * Capabilities of `initialize` as they are meant at that version. Those before 2025-11-25 have `includeContext` without a
 * capability of its own: there, sampling takes it. The Tasks extension is the modern era's.
 */
export function declaredAt(capabilities: ClientCapabilities, version: LegacyVersion): ClientCapabilities {
  const asking = withoutTasks(capabilities);
  return version !== NEWEST_LEGACY_VERSION && asking.sampling !== undefined
    ? { ...asking, sampling: { ...asking.sampling, context: {} } }
    : asking;
}
