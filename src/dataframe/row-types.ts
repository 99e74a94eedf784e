import type { Column } from "./column.ts";

/**
 * How a wrong column name fails to compile. A Column carries phantom types: its value (maybe still a reference into a row), its
 * name, and the paths that it needs. Nothing is checked while a column is built; a DataFrame checks the needs against its row
 * type at the call. So the style stays flat, as in Spark, and a mistake shows where it is made.
 */

export type Atom =
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | readonly unknown[]
  | ReadonlyMap<any, any>
  | null
  | undefined;
type Struct<T> = Exclude<T, Atom>;
type Null<T> = Extract<T, null>;
export type Flat<T> = { [K in keyof T]: T[K] } & {};

// ------------------------------------------------------------------------------------------------ values known later

/** The value of whatever column `P` is. */
export interface Ref<P extends string> {
  readonly ref: P;
}
/** `V`, or null where `T` may be null. */
export interface Lift<V, T> {
  readonly lift: V;
  readonly of: T;
}
/** `T` without null. */
export interface NotNullOf<T> {
  readonly notNullOf: T;
}
/** Result of an arithmetic operator. */
export interface Arith<A, B> {
  readonly left: A;
  readonly right: B;
}
/** Field or element `K` of `T`. */
export interface Item<T, K> {
  readonly item: T;
  readonly key: K;
}
/** A condition that is only true where the columns `P` are not null. */
export interface Proves<P extends string> {
  readonly proves: P;
}
export type Later = Ref<any> | Lift<any, any> | NotNullOf<any> | Arith<any, any> | Item<any, any>;

/** The value type `T` in rows `R`. */
export type Get<R, T> =
  T extends Ref<infer P>
    ? At<R, P>
    : T extends Lift<infer V, infer O>
      ? Get<R, V> | Null<Get<R, O>>
      : T extends NotNullOf<infer O>
        ? NonNullable<Get<R, O>>
        : T extends Arith<infer A, infer B>
          ? ArithValue<Get<R, A>, Get<R, B>>
          : T extends Item<infer O, infer K>
            ? ItemValue<Get<R, O>, K>
            : T extends boolean
              ? boolean
              : T;

type ArithValue<A, B> =
  | (NonNullable<A> extends Date
      ? NonNullable<B> extends Date
        ? bigint
        : Date
      : NonNullable<B> extends Date
        ? Date
        : Meet2<NonNullable<A>, NonNullable<B>>)
  | Null<A>
  | Null<B>;
/** number with number, bigint with bigint or a whole number, decimals stay strings. */
type Meet2<A, B> = 0 extends 1 & (A | B)
  ? any
  : [A] extends [string]
    ? string
    : [B] extends [string]
      ? string
      : [A] extends [number]
        ? [B] extends [number]
          ? number
          : Mixed<A>
        : [B] extends [number]
          ? Mixed<B>
          : bigint;
type Mixed<N> = N extends number
  ? number extends N
    ? number | bigint
    : `${N}` extends `${bigint}`
      ? bigint
      : number
  : never;

type ItemValue<T, K> =
  | (NonNullable<T> extends readonly (infer E)[]
      ? K extends number
        ? E
        : any
      : NonNullable<T> extends ReadonlyMap<any, infer V>
        ? V
        : K extends keyof NonNullable<T>
          ? NonNullable<T>[K]
          : never)
  | null;

// -------------------------------------------------------------------------------------------------- paths and needs

/** A path that an expression reads, and the type that it must have. */
export type Need<P extends string = string, T = any> = [path: P, type: T];

/** The type at a path; never when there is none. */
export type At<R, P extends string> = P extends keyof R
  ? R[P]
  : P extends `${infer H}.${infer T}`
    ? H extends keyof R
      ? [Struct<R[H]>] extends [never]
        ? never
        : At<Struct<R[H]>, T> | Null<R[H]>
      : never
    : never;

/** What `select` offers for completion. */
export type Path<R> = {
  [K in keyof R & string]:
    | K
    | ([Struct<R[K]>] extends [never] ? never : `${K}.*` | `${K}.${keyof Struct<R[K]> & string}`);
}[keyof R & string];
export type Last<P extends string> = P extends `${string}.${infer T}` ? Last<T> : P;

/** An argument of a function that takes `T`: a column, or a column's name, as in Spark. */
export type Arg<T> = string | Column<T | Later | null, any, any>;
export type NeedOf<A, T = any> = A extends string
  ? Need<A, T>
  : A extends Column<infer V, any, infer W>
    ? W | (0 extends 1 & V ? never : V extends Ref<infer P> ? Need<P, T> : never)
    : never;
export type TypeOf<A> = A extends string ? Ref<A> : A extends Column<infer T, any, any> ? T : never;
export type NameOf<A> = A extends string ? Last<A> : A extends Column<any, infer N, any> ? N : never;

/** Shown by the compiler where a column does not fit the rows. */
export interface ColumnError<Message, Row> {
  readonly error: Message;
  readonly columns: keyof Row;
}
type Bad<R, W> =
  W extends Need<infer P, infer T>
    ? [At<R, P>] extends [never]
      ? `no column '${P}'`
      : [At<R, P>] extends [T | null]
        ? never
        : `wrong type: '${P}'`
    : never;
export type Fits<R, A> = A extends `${string}*`
  ? A
  : [Bad<R, NeedOf<A>>] extends [never]
    ? A
    : ColumnError<Bad<R, NeedOf<A>>, R>;
export type All<R, C extends readonly unknown[]> = { [I in keyof C]: Fits<R, C[I]> };

// -------------------------------------------------------------------------------------------------------------- rows

type Spread<R, A> = A extends "*"
  ? R
  : A extends `${infer S}.*`
    ? S extends keyof R
      ? { [K in keyof Struct<R[S]>]: Struct<R[S]>[K] | Null<R[S]> }
      : never
    : never;
type Meet<U> = (U extends unknown ? (u: U) => void : never) extends (u: infer I) => void ? I : never;
/** A name that is known; a column whose name is any string cannot be a key of the row. */
type KnownName<N> = N extends string ? (string extends N ? never : N) : never;

/** The row that `select` makes. */
export type Selected<R, A> = 0 extends 1 & R
  ? any
  : Flat<
      { [E in Exclude<A, `${string}*`> as KnownName<NameOf<E>>]: Get<R, TypeOf<E>> } & Meet<
        Spread<R, Extract<A, `${string}*`>>
      >
    >;
export type WithColumn<R, N extends string, T> = 0 extends 1 & R ? any : Flat<Omit<R, N> & { [K in N]: Get<R, T> }>;
export type WithColumns<R, C> = 0 extends 1 & R
  ? any
  : Flat<Omit<R, keyof C> & { -readonly [K in keyof C]: Get<R, TypeOf<C[K]>> }>;
export type Renamed<R, M> = 0 extends 1 & R
  ? any
  : Flat<{ [K in keyof R as K extends keyof M ? (M[K] extends string ? M[K] : K) : K]: R[K] }>;
export type NotNulls<R, P> = 0 extends 1 & R
  ? any
  : [P] extends [never]
    ? R
    : Flat<{ [K in keyof R]: K extends P ? NonNullable<R[K]> : R[K] }>;
/** The paths that a condition proves not to be null. */
export type Proven<T> = T extends Proves<infer P> ? P : never;
export type ProvenBy<C> = C extends Column<infer T, any, any> ? Proven<T> : never;

export type JoinHow =
  | "inner"
  | "left"
  | "left_outer"
  | "leftouter"
  | "right"
  | "right_outer"
  | "rightouter"
  | "outer"
  | "full"
  | "full_outer"
  | "fullouter"
  | "semi"
  | "left_semi"
  | "leftsemi"
  | "anti"
  | "left_anti"
  | "leftanti"
  | "cross";
type Nullable<T> = { [K in keyof T]: T[K] | null };
type LeftRows<L, H> = H extends "right" | "right_outer" | "rightouter" | "outer" | "full" | "full_outer" | "fullouter"
  ? Nullable<L>
  : L;
type RightRows<R, H> = H extends "left" | "left_outer" | "leftouter" | "outer" | "full" | "full_outer" | "fullouter"
  ? Nullable<R>
  : R;
type Both<L, R> = { [K in keyof L | keyof R]: (K extends keyof L ? L[K] : never) | (K extends keyof R ? R[K] : never) };
type Semi = "semi" | "left_semi" | "leftsemi" | "anti" | "left_anti" | "leftanti";
export type Joined<L, R, H> = 0 extends 1 & (L | R)
  ? any
  : H extends Semi
    ? L
    : Flat<Both<LeftRows<L, H>, RightRows<R, H>>>;
/** As `Joined`, with the columns `K` once. */
export type JoinedUsing<L, R, K, H> = 0 extends 1 & (L | R)
  ? any
  : H extends Semi
    ? L
    : Flat<
        {
          [P in K & keyof L]:
            | L[P]
            | (H extends "outer" | "full" | "full_outer" | "fullouter"
                ? R[P & keyof R]
                : H extends "right" | "right_outer" | "rightouter"
                  ? R[P & keyof R]
                  : never);
        } & Both<Omit<LeftRows<L, H>, K & PropertyKey>, Omit<RightRows<R, H>, K & PropertyKey>>
      >;

/** The TypeScript type of a literal: `1` is a number. */
export type Widen<V> = V extends string
  ? string
  : V extends number
    ? number
    : V extends bigint
      ? bigint
      : V extends boolean
        ? boolean
        : V;
/** The value of a column or literal given where a bare string is a literal. */
export type OperandType<O> = O extends Column<infer T, any, any> ? T : Widen<O>;
export type OperandNeed<O> = O extends Column<any, any, any> ? NeedOf<O> : never;
export type OperandName<O> =
  O extends Column<any, infer N, any> ? N : O extends string | number | bigint | boolean ? `${O}` : string;
