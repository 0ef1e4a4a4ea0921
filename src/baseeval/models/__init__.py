"""Statistical models by formula on a table: any dataframe in, tidy tables out."""
