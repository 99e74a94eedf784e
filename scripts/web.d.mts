/** The folders of the pages, as paths below the repository. */
export function pages(): string[];
/** A hash of what a page is made from. */
export function stampOf(page: string): string;
/** Whether a page's dist/ is of the present sources. */
export function isFresh(page: string): boolean;
/** Builds the pages that are not fresh; false when that failed. */
export function ensureWeb(): boolean;
