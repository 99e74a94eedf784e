import type * as acorn from "acorn";
import { parse } from "acorn";

/** What a function's text says about what it needs from around it. */
export interface FunctionText {
  /** How the text becomes a value: alone, or as a member of an object literal. */
  readonly form: "expression" | "method" | "getter" | "setter";
  readonly kind: "function" | "arrow" | "class";
  /** Names that the text reads or writes and does not declare. */
  readonly free: ReadonlySet<string>;
  /** What the text takes from around it that has no name of a variable: `this`, `super`, `arguments`, `new.target`, `import.meta`, `#name`. */
  readonly surroundings: ReadonlySet<string>;
  /** Modules that it imports while it runs; undefined where the name is computed. */
  readonly dynamicImports: readonly (string | undefined)[];
  /** A class with members that start with `#`: its instances cannot be copied. */
  readonly hasPrivateMembers: boolean;
  /** Static members that the class's text makes itself. */
  readonly staticMembers: ReadonlySet<string>;
}

type Node = acorn.Node & { [key: string]: any };

/**
 * Reads the text of a function, method or class as `toString` gives it. Undefined where it is no JavaScript.
 * Scopes as in https://tc39.es/ecma262/#sec-syntax-directed-operations-scope-analysis; names in `eval` are not seen.
 */
export function readFunctionText(text: string): FunctionText | undefined {
  const alone = parseText(`(${text}\n)`);
  const expression = alone?.body[0]?.expression as Node | undefined;
  if (expression !== undefined && /^(Arrow)?FunctionExpression$|^ClassExpression$/.test(expression.type)) {
    return describe(expression, "expression");
  }
  const object = parseText(`({${text}\n})`)?.body[0]?.expression as Node | undefined;
  const property = object?.type === "ObjectExpression" ? (object.properties[0] as Node | undefined) : undefined;
  if (property === undefined || object!.properties.length !== 1) return undefined;
  if (property.kind === "get") return describe(property, "getter");
  if (property.kind === "set") return describe(property, "setter");
  return property.method === true ? describe(property, "method") : undefined;
}

function parseText(text: string): Node | undefined {
  for (const sourceType of ["module", "script"] as const) {
    try {
      return parse(text, {
        ecmaVersion: "latest",
        sourceType,
        checkPrivateFields: false,
        allowSuperOutsideMethod: true,
      });
    } catch {
      // the other kind, or no JavaScript at all
    }
  }
  return undefined;
}

function describe(node: Node, form: FunctionText["form"]): FunctionText {
  const walker = new Walker();
  const top = new Scope(undefined);
  if (form === "expression") walker.visit(node, top);
  else {
    // Not as a member: `super` and `#name` would be those of an object that stays behind.
    if (node.computed) walker.visit(node.key, top);
    walker.visit(node.value, top);
  }
  const type = (form === "expression" ? node : node.value).type as string;
  const kind = type === "ClassExpression" ? "class" : type === "ArrowFunctionExpression" ? "arrow" : "function";
  const members: Node[] = kind === "class" ? node.body.body : [];
  return {
    form,
    kind,
    free: walker.free,
    surroundings: walker.surroundings,
    dynamicImports: walker.dynamicImports,
    hasPrivateMembers: members.some((m) => m.key?.type === "PrivateIdentifier"),
    staticMembers: new Set(
      members.filter((m) => m.static === true && m.key?.type === "Identifier").map((m) => m.key.name as string),
    ),
  };
}

class Scope {
  readonly parent: Scope | undefined;
  readonly names = new Set<string>();
  /** Where `var` goes. */
  readonly isFunction: boolean;

  constructor(parent: Scope | undefined, isFunction = false) {
    this.parent = parent;
    this.isFunction = isFunction;
  }

  has(name: string): boolean {
    return this.names.has(name) || (this.parent?.has(name) ?? false);
  }

  function(): Scope {
    return this.isFunction || this.parent === undefined ? this : this.parent.function();
  }
}

class Walker {
  readonly free = new Set<string>();
  readonly surroundings = new Set<string>();
  readonly dynamicImports: (string | undefined)[] = [];
  /** Functions around the node that have a `this` of their own, and methods, which have `super`. */
  #ownThis = 0;
  #ownSuper = 0;
  readonly #privateNames: Set<string>[] = [];

  visit(node: Node | null | undefined, scope: Scope): void {
    if (node === null || node === undefined) return;
    switch (node.type) {
      case "Identifier":
        if (node.name === "arguments" && !scope.has("arguments")) {
          if (this.#ownThis === 0) this.surroundings.add("arguments");
        } else if (!scope.has(node.name)) this.free.add(node.name);
        return;
      case "ThisExpression":
        if (this.#ownThis === 0) this.surroundings.add("this");
        return;
      case "Super":
        if (this.#ownSuper === 0) this.surroundings.add("super");
        return;
      case "PrivateIdentifier":
        if (!this.#privateNames.some((names) => names.has(node.name))) this.surroundings.add(`#${node.name}`);
        return;
      case "MetaProperty":
        if (node.meta.name === "import") this.surroundings.add("import.meta");
        else if (this.#ownThis === 0) this.surroundings.add("new.target");
        return;
      case "ImportExpression":
        this.dynamicImports.push(typeof node.source.value === "string" ? node.source.value : undefined);
        this.#children(node, scope);
        return;
      case "MemberExpression":
        this.visit(node.object, scope);
        if (node.computed || node.property.type === "PrivateIdentifier") this.visit(node.property, scope);
        return;
      case "Property":
        if (node.computed) this.visit(node.key, scope);
        if (node.method || node.kind !== "init") this.#withSuper(() => this.visit(node.value, scope));
        else this.visit(node.value, scope);
        return;
      case "LabeledStatement":
        this.visit(node.body, scope);
        return;
      case "BreakStatement":
      case "ContinueStatement":
        return;
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        this.#function(node, scope);
        return;
      case "ClassDeclaration":
      case "ClassExpression":
        this.#class(node, scope);
        return;
      case "Program":
      case "BlockStatement":
      case "StaticBlock": {
        const inner = new Scope(scope, node.type === "StaticBlock");
        declareBlock(node.body, inner);
        this.#children(node, inner);
        return;
      }
      case "ForStatement":
      case "ForInStatement":
      case "ForOfStatement": {
        const inner = new Scope(scope);
        declareBlock([node.init ?? node.left].filter(Boolean), inner);
        this.#children(node, inner);
        return;
      }
      case "SwitchStatement": {
        this.visit(node.discriminant, scope);
        const inner = new Scope(scope);
        for (const c of node.cases) declareBlock(c.consequent, inner);
        for (const c of node.cases) this.#children(c, inner);
        return;
      }
      case "CatchClause": {
        const inner = new Scope(scope);
        if (node.param) declarePattern(node.param, inner);
        this.visit(node.param, inner);
        this.visit(node.body, inner);
        return;
      }
      default:
        this.#children(node, scope);
    }
  }

  #children(node: Node, scope: Scope): void {
    for (const key of Object.keys(node)) {
      const child = node[key];
      if (Array.isArray(child)) for (const c of child) this.visit(c, scope);
      else if (typeof child === "object" && child !== null && typeof child.type === "string") this.visit(child, scope);
    }
  }

  #function(node: Node, scope: Scope): void {
    let outer = scope;
    if (node.type === "FunctionExpression" && node.id) {
      outer = new Scope(scope);
      outer.names.add(node.id.name);
    }
    const inner = new Scope(outer, true);
    for (const param of node.params) declarePattern(param, inner);
    const arrow = node.type === "ArrowFunctionExpression";
    if (node.body.type === "BlockStatement") {
      declareBlock(node.body.body, inner);
      declareVars(node.body.body, inner);
    }
    if (!arrow) this.#ownThis++;
    for (const param of node.params) this.visit(param, inner);
    if (node.body.type === "BlockStatement") this.#children(node.body, inner);
    else this.visit(node.body, inner);
    if (!arrow) this.#ownThis--;
  }

  #class(node: Node, scope: Scope): void {
    const inner = new Scope(scope);
    if (node.id) inner.names.add(node.id.name);
    this.visit(node.superClass, inner);
    this.#privateNames.push(
      new Set(
        (node.body.body as Node[]).filter((m) => m.key?.type === "PrivateIdentifier").map((m) => m.key.name as string),
      ),
    );
    for (const member of node.body.body as Node[]) {
      if (member.computed) this.visit(member.key, inner);
      this.#withSuper(() => {
        this.#ownThis++;
        if (member.type === "StaticBlock") {
          declareVars(member.body, inner);
          this.visit(member, inner);
        } else this.visit(member.value, inner);
        this.#ownThis--;
      });
    }
    this.#privateNames.pop();
  }

  #withSuper(visit: () => void): void {
    this.#ownSuper++;
    visit();
    this.#ownSuper--;
  }
}

/** `let`, `const`, classes and functions of a block. */
function declareBlock(body: readonly Node[], scope: Scope): void {
  for (const node of body) {
    if (node.type === "VariableDeclaration") {
      for (const d of node.declarations) declarePattern(d.id, node.kind === "var" ? scope.function() : scope);
    } else if ((node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") && node.id) {
      scope.names.add(node.id.name);
    }
  }
}

/** `var` anywhere in a function's body, but not in functions within. */
function declareVars(body: readonly Node[], scope: Scope): void {
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const n of node) visit(n);
    } else if (typeof node === "object" && node !== null && "type" in node) {
      const n = node as Node;
      if (/Function|Class/.test(n.type)) return;
      if (n.type === "VariableDeclaration" && n.kind === "var") {
        for (const d of n.declarations) declarePattern(d.id, scope);
      }
      for (const key of Object.keys(n)) visit(n[key]);
    }
  };
  visit(body);
}

function declarePattern(node: Node | null, scope: Scope): void {
  switch (node?.type) {
    case "Identifier":
      scope.names.add(node.name);
      return;
    case "AssignmentPattern":
      declarePattern(node.left, scope);
      return;
    case "RestElement":
      declarePattern(node.argument, scope);
      return;
    case "ArrayPattern":
      for (const element of node.elements) declarePattern(element, scope);
      return;
    case "ObjectPattern":
      for (const p of node.properties) declarePattern(p.type === "Property" ? p.value : p, scope);
      return;
  }
}
