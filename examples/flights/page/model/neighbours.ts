export interface Place {
  readonly x: number;
  readonly y: number;
}

export type Direction = "left" | "right" | "up" | "down";

/** The place nearest to a point, at most `within` away. */
export function nearest<P extends Place>(
  places: readonly P[],
  x: number,
  y: number,
  within = Number.POSITIVE_INFINITY,
): P | undefined {
  let best: P | undefined;
  let least = within * within;
  for (const place of places) {
    const distance = (place.x - x) ** 2 + (place.y - y) ** 2;
    if (distance > least) continue;
    best = place;
    least = distance;
  }
  return best;
}

/**
 * Where an arrow key leads: the place that lies best in that direction. What is off to the side counts double, and beyond 60 degrees not
 * at all.
 */
export function neighbour<P extends Place>(places: readonly P[], from: P, direction: Direction): P | undefined {
  const [dx, dy] = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] }[direction] as [number, number];
  let best: P | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const place of places) {
    const along = (place.x - from.x) * dx + (place.y - from.y) * dy;
    const aside = Math.abs((place.x - from.x) * dy - (place.y - from.y) * dx);
    if (along <= 0 || aside > along * Math.sqrt(3)) continue;
    const cost = along + 2 * aside;
    if (cost < least) {
      best = place;
      least = cost;
    }
  }
  return best;
}
