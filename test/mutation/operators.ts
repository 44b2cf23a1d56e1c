import { SyntaxKind, type Node, type SourceFile } from "typescript/unstable/ast";
import {
  isAwaitExpression,
  isBigIntLiteral,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isExpressionStatement,
  isIfStatement,
  isNumericLiteral,
  isReturnStatement,
  isTypeNode,
  isWhileStatement,
} from "typescript/unstable/ast/is";
import type { Mutant, Operator } from "./mutant.ts";

/** Binary operators, and what stands in their place: the boundary moved, or the sense turned. */
const SWAPPED: ReadonlyMap<SyntaxKind, readonly [operator: Operator, replacement: string]> = new Map([
  [SyntaxKind.LessThanToken, ["comparison", "<="]],
  [SyntaxKind.LessThanEqualsToken, ["comparison", "<"]],
  [SyntaxKind.GreaterThanToken, ["comparison", ">="]],
  [SyntaxKind.GreaterThanEqualsToken, ["comparison", ">"]],
  [SyntaxKind.EqualsEqualsEqualsToken, ["comparison", "!=="]],
  [SyntaxKind.ExclamationEqualsEqualsToken, ["comparison", "==="]],
  [SyntaxKind.AmpersandAmpersandToken, ["logic", "||"]],
  [SyntaxKind.BarBarToken, ["logic", "&&"]],
]);
/** What a `return` gives instead. Those that the types refuse are dropped when they are drawn. */
const RETURNED = ["null", "undefined", "true", "false", "[]", '""', "0"];

/** Every change of a source file that an operator makes. Types are left alone: they do not run. */
export function mutantsOf(source: SourceFile): Mutant[] {
  const found: Mutant[] = [];
  const visit = (node: Node): void => {
    if (isTypeNode(node)) return;
    for (const [place, operator, replacement] of changesOf(node, source)) {
      const start = place.getStart(source);
      if (source.text.slice(start, place.end) === replacement) continue;
      found.push({ file: source.fileName, start, end: place.end, replacement, operator });
    }
    node.forEachChild((child) => visit(child));
  };
  visit(source);
  return found;
}

type Change = readonly [place: Node, operator: Operator, replacement: string];

function changesOf(node: Node, source: SourceFile): Change[] {
  if (isIfStatement(node) || isWhileStatement(node)) return conditionChanges(node.expression, source);
  if (isConditionalExpression(node)) return conditionChanges(node.condition, source);
  if (isBinaryExpression(node)) return swapped(node.operatorToken);
  if (isExpressionStatement(node)) return isCalling(node.expression) ? [[node, "call", ";"]] : [];
  if (isReturnStatement(node)) {
    const { expression } = node;
    return expression === undefined ? [] : RETURNED.map((value) => [expression, "return", value] as const);
  }
  return constantChanges(node, source);
}

/** A condition turned round, and a guard that never holds. */
function conditionChanges(condition: Node, source: SourceFile): Change[] {
  return [
    [condition, "condition", `!(${textOf(condition, source)})`],
    [condition, "guard", "false"],
  ];
}

function swapped(token: Node): Change[] {
  const swap = SWAPPED.get(token.kind);
  return swap === undefined ? [] : [[token, ...swap]];
}

function isCalling(expression: Node): boolean {
  return isCallExpression(isAwaitExpression(expression) ? expression.expression : expression);
}

function constantChanges(node: Node, source: SourceFile): Change[] {
  if (node.kind === SyntaxKind.TrueKeyword) return [[node, "constant", "false"]];
  if (node.kind === SyntaxKind.FalseKeyword) return [[node, "constant", "true"]];
  if (isNumericLiteral(node)) return [[node, "constant", `${Number(textOf(node, source).replaceAll("_", "")) + 1}`]];
  if (!isBigIntLiteral(node)) return [];
  return [[node, "constant", `${BigInt(textOf(node, source).replaceAll("_", "").slice(0, -1)) + 1n}n`]];
}

function textOf(node: Node, source: SourceFile): string {
  return source.text.slice(node.getStart(source), node.end);
}
