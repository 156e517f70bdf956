"""The operator's API: stock, couriers and money by hand, sagas, checks, metrics. It stands above the rooms."""
