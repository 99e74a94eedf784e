import { geography } from "virtual:geography";
import { AirportPanel } from "./airport-panel.tsx";
import { AirportTable } from "./airport-table.tsx";
import { AlertList, Announcer } from "./alert-list.tsx";
import { Header } from "./header.tsx";
import { Legend } from "./legend.tsx";
import { AirportMap } from "./map.tsx";
import { isEmpty, selected, status } from "./store.ts";
import { Timeline } from "./timeline.tsx";

export function App() {
  const airport = geography.airports.find(({ code }) => code === selected.value);
  return (
    <>
      <a class="skip" href="#airports">
        Skip to the table of airports
      </a>
      <div class="screen">
        <Header />
        <main>
          <section class="stage" aria-label="Map">
            <AirportMap />
            <Legend />
            {isEmpty.value && (
              <p class="empty" role="status">
                {status.value === "live" ? "Waiting for the first flights." : "Connecting."}
              </p>
            )}
          </section>
          <aside>
            {airport !== undefined && <AirportPanel key={airport.code} airport={airport} />}
            <AlertList />
          </aside>
        </main>
        <Timeline />
      </div>
      <AirportTable />
      <Announcer />
    </>
  );
}
