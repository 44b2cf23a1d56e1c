/**
 * The Cedar action a tool's calls have in bundles that name an action per tool: each `_`-separated part
 * with its first letter in upper case, joined. `read_file` and `ReadFile` both give `ReadFile`, which is
 * why a catalog may hold only one of them.
 */
export function actionName(toolName: string): string {
  return toolName
    .split("_")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
}
