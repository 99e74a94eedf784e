/** An airport of the flights at its place on the map. */
export interface Airport {
  readonly code: string;
  readonly name: string;
  readonly city: string;
  readonly state: string;
  readonly x: number;
  readonly y: number;
}

/** The map, made when the page is built. */
export interface Geography {
  readonly width: number;
  readonly height: number;
  /** SVG paths. */
  readonly land: string;
  readonly borders: string;
  readonly inset: {
    readonly box: readonly [left: number, top: number, right: number, bottom: number];
    readonly land: string;
  };
  /** The busiest first, so that small circles lie on large ones. */
  readonly airports: readonly Airport[];
}
