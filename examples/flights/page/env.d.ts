declare module "virtual:geography" {
  export const geography: import("./model/geography.ts").Geography;
}
