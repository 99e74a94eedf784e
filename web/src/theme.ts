import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEY = "millrace-theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

export const theme = signal<Theme>(stored());
/** Which of both is drawn; charts read their colours again when it changes. */
export const isDark = signal(false);

function stored(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : "system";
  } catch {
    return "system"; // storage is switched off
  }
}

/** Applies the theme and follows the system's; once a page, before anything is drawn. */
export function startTheme(): void {
  const follow = (): void => {
    isDark.value = theme.value === "dark" || (theme.value === "system" && dark.matches);
  };
  dark.addEventListener("change", follow);
  effect(() => {
    const root = document.documentElement;
    if (theme.value === "system") delete root.dataset.theme;
    else root.dataset.theme = theme.value;
    try {
      if (theme.value === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme.value);
    } catch {
      // storage is switched off: the choice holds for this page
    }
    follow();
  });
}
